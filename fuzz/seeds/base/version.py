__version__ = '2.9.1+cu128'
debug = False
cuda: Optional[str] = '12.8'
