"""`lidr view`: a local web page over all texts of a run, to search, compare and mark."""
