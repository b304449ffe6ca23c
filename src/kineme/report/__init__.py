"""An HTML page about one run or several: results, training curves, confusions, neighbours that move."""
