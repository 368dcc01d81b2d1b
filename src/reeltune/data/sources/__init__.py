"""Where bytes come from: the data sets that are known, folders, archives, cache, publishers, packages."""
