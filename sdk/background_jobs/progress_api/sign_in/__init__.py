"""People in browsers: they sign in at an OpenID provider, and have a session in a cookie.

Everything of theirs is below `/web`, where API Gateway asks nobody for a signature. There a session is all
that counts, and nowhere else does it count at all.
"""
