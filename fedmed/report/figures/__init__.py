"""The figures of a report, one kind a file, and what they share: style, context, ticks, elements, tooltips."""
