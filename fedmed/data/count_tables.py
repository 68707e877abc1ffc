"""Tables of training images per client (rows) and class (columns), as published experiments had them."""

import numpy as np

FEDISIC6 = np.array(
    [
        [2279, 3363, 2245, 606, 923, 97, 87, 330],  # BCN
        [20, 2977, 2, 0, 96, 23, 45, 0],  # vidir_molemax
        [533, 1470, 174, 20, 379, 40, 64, 11],  # vidir_modern
        [276, 649, 223, 86, 406, 20, 3, 144],  # rosendahl
        [166, 349, 0, 0, 140, 0, 0, 0],  # MSK4
        [58, 276, 5, 0, 6, 4, 2, 0],  # vienna_dias
    ]
)
"""Fed-ISIC2019 by centre (FLamby, Ogier du Terrail et al., NeurIPS 2022, arXiv 2210.04620).

Classes: MEL, NV, BCC, AK, BKL, DF, VASC, SCC.
"""

ICH10 = np.array(
    [
        [0, 0, 1112, 2245, 4033],
        [88, 5522, 0, 1926, 0],
        [89, 1122, 2339, 0, 7627],
        [0, 2430, 0, 3574, 2944],
        [132, 518, 0, 930, 1828],
        [269, 0, 0, 1034, 1834],
        [538, 928, 2662, 0, 0],
        [9, 502, 0, 0, 2869],
        [69, 62, 0, 1635, 957],
        [4, 62, 1017, 429, 1033],
    ]
)
"""RSNA intracranial haemorrhage among ten clients, as FedNPR's authors divided it (arXiv 2407.12446).

The order of the five classes is not documented; the smallest is presumably epidural.
"""

TABLES = {"fedisic6": FEDISIC6, "ich10": ICH10}
