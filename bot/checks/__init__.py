"""`countersign doctor`: what could go wrong here, found beforehand."""
