"""From tables to tensors and back.

`format` reads tables of any kind into DataFrames and gives that kind back. `schema` describes each
column, and `agreement` compares a later table with that description. `encoder` turns rows into
levels and scalars, whose places in a network's input `layout` knows. `conditions` encodes what
users ask rows to be, `allowed` says which levels meet conditions, `evidence` holds what is known
about encoded rows, and `sequences` takes long tables apart into sequences.
"""
