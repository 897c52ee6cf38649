"""All treated districts together: which effects survive a look at all, and what each borrows from the others."""
