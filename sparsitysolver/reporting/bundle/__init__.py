"""A results folder in, one file out that holds all it rests on; and everything drawn anew from either."""
