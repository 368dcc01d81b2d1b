"""The LightningModule, its callbacks and checkpoints."""
