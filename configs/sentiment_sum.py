"""Sum."""

from configs import sentiment


def get_config(arg=None):
    return sentiment.get_config(f"combiner=sum,{arg or ''}")
