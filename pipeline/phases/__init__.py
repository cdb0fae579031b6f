"""The phases of training, one file each: what games it plays or reads, and how the network learns from them."""
