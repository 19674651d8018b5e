"""The rooms of the workflow: pure functions on tables and arrays, each a module that imports only modules before it."""
