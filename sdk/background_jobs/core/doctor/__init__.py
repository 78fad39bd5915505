"""What is wrong with an environment: facts of AWS, judged; the calls that find them are made elsewhere."""
