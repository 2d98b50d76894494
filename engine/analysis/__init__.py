"""What a search's scores say: results, forecasts, trends, selection, reports."""
