"""Redis side of jobs: enqueue, claim, finish; albums; daily quotas."""
