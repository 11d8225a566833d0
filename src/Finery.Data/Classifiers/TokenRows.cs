namespace Finery.Data.Classifiers;

/// <summary>For each distinct token of training text: its label, or the rows of the input matrix it stands for.</summary>
internal sealed class TokenRows
{
    private const int NoLabel = -1;
    private const int UnknownLabel = -2;

    private readonly TrainingExamples _examples;
    private readonly ModelDictionary _dictionary;
    private readonly int[] _labels;
    private readonly int[] _starts;
    private readonly int[] _rows;

    public TokenRows(TrainingExamples examples, ModelDictionary dictionary)
    {
        (_examples, _dictionary) = (examples, dictionary);
        _labels = new int[examples.DistinctCount];
        _starts = new int[examples.DistinctCount + 1];
        var rows = new RowList();
        var buffer = new byte[256];
        for (var number = 0; number < _labels.Length; number++)
        {
            var token = examples.Token(number);
            var id = dictionary.Find(token, examples.HashOf(number));
            if (examples.IsLabel(number))
                _labels[number] = id >= dictionary.WordCount ? id - dictionary.WordCount : UnknownLabel;
            else
            {
                _labels[number] = NoLabel;
                if (buffer.Length < token.Length + 2)
                    buffer = new byte[2 * token.Length + 2];
                token.CopyTo(buffer.AsSpan(1));
                dictionary.AddRows(buffer, 1, token.Length + 1, id, rows);
            }
            _starts[number + 1] = rows.Count;
        }
        _rows = rows.Span.ToArray();
    }

    /// <summary>Collects rows and labels of one example.</summary>
    /// <returns>How many tokens it has.</returns>
    public int Collect(int example, RowList rows, RowList labels, RowList hashes)
    {
        rows.Clear();
        labels.Clear();
        hashes.Clear();
        var tokens = _examples.Tokens(example);
        foreach (var number in tokens)
        {
            if (_labels[number] >= 0)
                labels.Add(_labels[number]);
            else if (_labels[number] == NoLabel)
            {
                rows.AddRange(_rows.AsSpan(_starts[number], _starts[number + 1] - _starts[number]));
                if (_dictionary.WordNgrams > 1)
                    hashes.Add((int)_examples.HashOf(number));
            }
        }
        if (_dictionary.WordNgrams > 1)
            _dictionary.AddWordNgrams(hashes.Span, rows);
        return tokens.Length;
    }
}
