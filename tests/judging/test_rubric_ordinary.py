"""Tests of the rubric on ordinary programs. A good and a badly written program for the same task are compared."""

import pytest

from codepref.judging.rubric import opinions
from codepref.records import Problem

SEPARATING = ("readability", "complexity", "style")
PAIRS = {
    "has_close_elements(numbers, threshold): is any pair of numbers closer than the threshold?": (
        '''from itertools import pairwise


def has_close_elements(numbers, threshold):
    """Whether any two numbers are closer to each other than the threshold."""
    ordered = sorted(numbers)
    return any(right - left < threshold for left, right in pairwise(ordered))
''',
        """def has_close_elements(numbers, threshold):
  Res=False
  for i in range(0,len(numbers),1):
      for j in range(0,len(numbers),1):
          if i!=j:
              if abs(numbers[i]-numbers[j])<threshold :
                  if Res==False: Res=True
  if Res==True:
      return True
  else:
      return False
""",
    ),
    "count_vowels(text): how many vowels does the text hold?": (
        '''def count_vowels(text):
    """Count the vowels of a text, in either case."""
    return sum(letter in "aeiou" for letter in text.lower())
''',
        """def count_vowels(text):
    l=0; k9=list(text)
    for q in range(len(k9)):
        if k9[q]=='a' or k9[q]=='e' or k9[q]=='i' or k9[q]=='o' or k9[q]=='u' or k9[q]=='A' or k9[q]=='E':
            l=l+1
        elif k9[q]=='I' or k9[q]=='O' or k9[q]=='U':
            l=l+1
        else:
            pass
    return l
""",
    ),
    "largest_prime_factor(number): the largest prime that divides the number.": (
        '''def largest_prime_factor(number):
    """Divide out each factor from 2 up; what is left at the end is the largest."""
    factor = 2
    while factor * factor <= number:
        if number % factor:
            factor += 1
        else:
            number //= factor
    return number
''',
        """import os, sys
def largest_prime_factor(number):
    L = []
    for i in range(2, number+1):
        if number % i == 0:
            p = True
            for j in range(2, i):
                if i % j == 0:
                    p = False
                    if p == False: break
            if p == True:
                if not i in L:
                    L.append(i)
    try:
        return max([x for x in L])
    except:
        return None
""",
    ),
    "merge(first, second): one dict with the entries of both; the second wins.": (
        '''def merge(first, second):
    """Merge two dicts; where both hold a key, the second wins."""
    return {**first, **second}
''',
        """def merge(first, second):
    d1 = dict()
    for k1 in first.keys():
        d1[k1] = first[k1]
    for k1 in second.keys():
        if k1 in d1.keys():
            if d1[k1] != second[k1]: d1[k1] = second[k1]
        else:
            d1[k1] = second[k1]
    r = d1
    return r
""",
    ),
}


@pytest.mark.parametrize("prompt", PAIRS, ids=lambda prompt: prompt.split("(")[0])
@pytest.mark.parametrize("preference", SEPARATING)
def test_the_bad_version_scores_almost_a_point_lower(prompt: str, preference: str) -> None:
    problem = Problem("a/0", prompt, prompt.split("(")[0])
    good, worse = (
        by_preference[preference]
        for by_preference in opinions([(problem, text) for text in PAIRS[prompt]], [preference])
    )
    assert good.rating >= 4
    assert worse.rating < good.rating
    assert good.score - worse.score >= 0.8


@pytest.mark.parametrize("prompt", PAIRS, ids=lambda prompt: prompt.split("(")[0])
def test_both_versions_follow_the_instruction(prompt: str) -> None:
    problem = Problem("a/0", prompt, prompt.split("(")[0])
    both = opinions([(problem, text) for text in PAIRS[prompt]], ["instruction-following"])
    assert [one["instruction-following"].rating for one in both] == [5, 5]
