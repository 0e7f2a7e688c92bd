"""Tables and tensors: what columns are, how rows are encoded, and what may be asked of them."""
