"""The report: one self-contained page filled from result frames; a number that is not there fails the build.

`facts` is what the page says that is not a result:

- run, title (str); simulated (bool); seed, smallest_cell (int); commit (str)
- versions: {package: version}
- surveys: {name: title}; variables: {name: {label, kind, unit, categories}}
- analyses: [{trial | association: name, surveys: [name]}], as in config/<run>.yaml
- protocols, associations: {name: the declaration as a dict}
- verdicts: [{claim, text, verdict, analysis, survey, because, cap, primary}]; `verdict` is one of captions.yaml's;
  analysis and survey are None when no analysis of the run tests the claim; a primary verdict is answered at the top
- checksums: [{survey, file, path, size, sha256, origin}]
- assumptions: [{where, text}]; limits: [str]; glossary: {term: meaning}
"""

from backpain.report.headline import headline
from backpain.report.page import render
from backpain.report.study import render_study

__all__ = ["headline", "render", "render_study"]
