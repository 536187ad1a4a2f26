"""Early Help identification and the national evaluation, from partner delivery to proved destruction."""
