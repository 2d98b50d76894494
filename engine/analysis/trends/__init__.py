"""What a whole search says, not only its winner: main effects, pairs, importance, parallel coordinates, the top.

Everything is worked out from the complete combinations alone, and nothing but `importance` imports anything heavy.
"""
