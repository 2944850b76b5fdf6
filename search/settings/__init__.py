"""What is asked: architectures and their space, how a network is trained, study files, seeds.

Plain Python but for `seeds`; reading commands import it.
"""
