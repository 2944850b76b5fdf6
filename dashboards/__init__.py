"""Reading and drawing what studies found: figures, the report, the dashboard.

One file a figure: `*_info` says what it shows and is pure, `plot_*` draws that with Plotly. Imports
`search`'s pure modules and `storage`, never `fewest`, and never TensorFlow.
"""
