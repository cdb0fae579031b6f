"""Models that were trained: their weights as files, all that is known of them as rows. No torch.

Public: `model_store.ModelStore` (put, get, promote, roll back, verify), `database.RegistryDatabase`. A model's row is
written only once its file is whole, and there is at most one champion, whose history tells how it came to be.
"""
