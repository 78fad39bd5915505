"""Background Job Service: hand over a job name and an array of params; every one becomes a job instance."""
