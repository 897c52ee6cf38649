"""Before a program starts: who is eligible, what a lottery of them would find, the draw itself, and the frozen plan."""
