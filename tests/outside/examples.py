def run(word=''):
    return []
