"""What an orchestration takes and costs, and which limits of AWS it comes near, before it runs."""
