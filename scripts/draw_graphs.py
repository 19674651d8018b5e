"""Draw the graphs that Snakemake gave in the DOT language, with the Graphviz that pygraphviz carries."""

import pygraphviz

from esmi.job import reporting

with reporting(snakemake.log[0]):
    for name, dot in snakemake.input.items():
        graph = pygraphviz.AGraph(filename=dot)
        graph.graph_attr.update(fontname="DejaVu Sans", rankdir="TB")
        graph.draw(snakemake.output[name], prog="dot")
