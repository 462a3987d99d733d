"""What a person sees while a study runs, and when it is finished."""
