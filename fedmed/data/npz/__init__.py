"""Reading npz files of images: what they hold is checked before it is believed, and refused in words."""
