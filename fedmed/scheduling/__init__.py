"""Who may spend how much privacy on whose images: jobs of study teams share the privacy budgets of hospitals.

Liu, Wang, Zhu, Chen: DPBalance: Efficient and Fair Privacy Budget Scheduling for Federated Learning as a Service.
INFOCOM 2024, arXiv 2402.09715. The baselines are those of Luo et al., Privacy Budget Scheduling, OSDI 2021 (DPF), and
Tholoniat et al., Efficiently Packing Privacy Budget with DPack, 2022, arXiv 2212.13228.
"""
