"""What the figures say, in words: findings, the plain page, the appendix."""
