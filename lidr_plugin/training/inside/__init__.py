"""Scripts that run in the train environment, as files: the standard library and what LLaMA-Factory brings, no lidr."""
