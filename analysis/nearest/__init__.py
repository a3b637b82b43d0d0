"""Search: the k nearest of millions of vectors by cosine, exactly, in bounded memory, about as fast as their product.

A block of vectors is multiplied with the queries while it lies in the cache, and of the scores only those are looked at
that may still be among a query's k best. A score s is off its cosine c by at most ε, so one of the k nearest scores at
least (the k-th best score so far) − 2ε. The few that do are measured again in float64. What comes out does not depend
on blocks, cores, device or precision: these change only ε, and so how many are measured again.
"""

from .index import Index, make_index
from .search import nearest

__all__ = ["Index", "make_index", "nearest"]
