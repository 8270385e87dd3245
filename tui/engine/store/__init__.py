"""What the engine remembers: uploaded files, jobs with their events, fine-tuned models."""
