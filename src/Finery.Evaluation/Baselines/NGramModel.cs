namespace Finery.Evaluation.Baselines;

/// <summary>
/// Interpolated modified Kneser-Ney over token ids (Chen and Goodman 1998), the strongest smoothing of plain n-grams: a peer that a
/// network must beat. Three discounts per order from counts of counts; below the highest order an n-gram counts how many different
/// tokens it follows, except where it starts a document and nothing precedes it; the unigram is interpolated with 1/V.
/// </summary>
/// <remarks>The first token of a document is context only, as it is for a network. Memory is at most about 100 bytes a training token
/// at order 5, and half of that on ordinary text.</remarks>
public sealed class NGramModel : ITokenModel
{
    private readonly Order[] _orders;
    private readonly int[] _before;
    private readonly int[] _here;

    private NGramModel(int order, int vocabSize)
    {
        VocabSize = vocabSize;
        _orders = new Order[order];
        for (int n = 0; n < order; n++) _orders[n] = new();
        _before = new int[order + 1];
        _here = new int[order + 1];
    }

    /// <inheritdoc/>
    public string Name => _orders.Length == 1 ? "unigram" : $"{_orders.Length}-gram Kneser-Ney";

    /// <inheritdoc/>
    public int VocabSize { get; }

    /// <inheritdoc/>
    /// <remarks>Only the last tokens matter, however long the span.</remarks>
    public int ContextLength => 1 << 20;

    /// <summary>Tokens counted, the first of each document not among them.</summary>
    public long TrainingTokens { get; private set; }

    /// <summary>Distinct n-grams stored, all orders together.</summary>
    public long NGramCount => _orders.Sum(order => (long)order.Table.Count);

    /// <summary>Counts <paramref name="documents"/>, each beginning with its beginning-of-sequence token.</summary>
    /// <param name="documents">Token ids in [0, <paramref name="vocabSize"/>).</param>
    /// <param name="order">n, 1 to 8.</param>
    /// <param name="vocabSize">V.</param>
    /// <param name="maxTokens">Reading stops after the document that reaches this many: bounds memory.</param>
    /// <exception cref="ArgumentException">A token is outside the vocabulary, or no document has two tokens.</exception>
    public static NGramModel Train(IEnumerable<ReadOnlyMemory<int>> documents, int order, int vocabSize, long maxTokens = 20_000_000)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(order, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(order, 8);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabSize, 1);
        var model = new NGramModel(order, vocabSize);
        foreach (var document in documents)
        {
            if (model.TrainingTokens >= maxTokens) break;
            model.Count(document.Span);
        }
        if (model.TrainingTokens == 0) throw new ArgumentException("No document has two tokens: there is nothing to count.", nameof(documents));
        for (int n = order; n >= 1; n--) model._orders[n - 1].Finish(n == 1 ? null : model._orders[n - 2]);
        return model;
    }

    /// <summary><c>P(token | context)</c>.</summary>
    /// <param name="context">Tokens before; only the last n - 1 count, and only their order of arrival.</param>
    /// <param name="token">The next token.</param>
    /// <exception cref="ArgumentException">A token is outside the vocabulary.</exception>
    public double Probability(ReadOnlySpan<int> context, int token)
    {
        Restart();
        foreach (int id in context[Math.Max(0, context.Length - _orders.Length + 1)..]) Advance(id);
        Advance(token);
        return Probability(token);
    }

    /// <inheritdoc/>
    public void Score(ReadOnlySpan<TokenSpan> spans, Span<double> logLikelihoods)
    {
        for (int i = 0; i < spans.Length; i++)
        {
            var span = spans[i];
            if (span.First < 1 || span.First > span.Tokens.Length)
                throw new ArgumentException($"Span {i} scores from token {span.First} of {span.Tokens.Length}; expected 1 or later.", nameof(spans));
            Restart();
            double sum = 0;
            for (int t = Math.Max(0, span.First - _orders.Length + 1); t < span.Tokens.Length; t++)
            {
                Advance(span.Tokens[t]);
                if (t >= span.First) sum += Math.Log(Probability(span.Tokens[t]));
            }
            logLikelihoods[i] = sum;
        }
    }

    private void Count(ReadOnlySpan<int> document)
    {
        Restart();
        int highest = _orders.Length;
        for (int i = 0; i < document.Length; i++)
        {
            Check(document[i]);
            _here.CopyTo(_before, 0);
            for (int n = 1; n <= Math.Min(highest, i + 1); n++)
            {
                var order = _orders[n - 1];
                _here[n] = order.FindOrAdd(Pack(_before[n - 1], document[i]), out bool added);
                // The highest order counts occurrences, and so does an n-gram that starts the document, since no token precedes it.
                if (i > 0 && (n == highest || n == i + 1)) order.Counts[_here[n]]++;
                if (added && n > 1) _orders[n - 2].CountContinuation(_here[n - 1]);
            }
        }
        TrainingTokens += Math.Max(0, document.Length - 1);
    }

    private void Restart() => _here.AsSpan(1).Fill(-1);

    /// <summary>Moves on by one token: <c>_here[n]</c> is the n-gram ending in it, -1 where it was never counted.</summary>
    private void Advance(int token)
    {
        Check(token);
        _here.CopyTo(_before, 0);
        for (int n = 1; n <= _orders.Length; n++)
            _here[n] = _before[n - 1] < 0 ? -1 : _orders[n - 1].Table.Find(Pack(_before[n - 1], token));
    }

    /// <summary>Probability of the token last moved to, from the lowest order up.</summary>
    private double Probability(int token)
    {
        double probability = 1.0 / VocabSize;
        for (int n = 1; n <= _orders.Length; n++)
        {
            // The empty context of unigrams is number 0.
            int context = _before[n - 1];
            if (context < 0) continue;
            probability = _orders[n - 1].Interpolate(context, _here[n], probability);
        }
        return probability;
    }

    private static ulong Pack(int context, int token) => ((ulong)(uint)context << 32) | (uint)token;

    private void Check(int token)
    {
        if ((uint)token >= (uint)VocabSize) throw new ArgumentException($"Token {token} is outside [0, {VocabSize}).");
    }

    /// <summary>The n-grams of one length. As n-gram: <see cref="Counts"/>. As context of the next length: nothing; what follows a
    /// context is kept here by the context's number in the order below.</summary>
    private sealed class Order
    {
        private readonly double[] _discounts = new double[4];
        private int[] _totals = [];
        private double[] _left = [];

        public PackedTable Table { get; } = new();

        public int[] Counts = new int[1024];

        public int FindOrAdd(ulong key, out bool added)
        {
            int number = Table.FindOrAdd(key, out added);
            if (number >= Counts.Length) Array.Resize(ref Counts, checked(Counts.Length * 2));
            return number;
        }

        public void CountContinuation(int number) => Counts[number]++;

        /// <summary>Discounts from counts of counts, then per context the sum of counts and the mass the discounts free.</summary>
        public void Finish(Order? contexts)
        {
            var countsOfCounts = new long[5];
            for (int i = 0; i < Table.Count; i++)
            {
                if (Counts[i] is >= 1 and <= 4) countsOfCounts[Counts[i]]++;
            }
            SetDiscounts(countsOfCounts);
            _totals = new int[contexts?.Table.Count ?? 1];
            _left = new double[_totals.Length];
            for (int i = 0; i < Table.Count; i++)
            {
                if (Counts[i] == 0) continue;
                int context = (int)(Table.Key(i) >> 32);
                _totals[context] += Counts[i];
                _left[context] += _discounts[Math.Min(Counts[i], 3)];
            }
        }

        public double Interpolate(int context, int number, double lower)
        {
            double total = _totals[context];
            if (total == 0) return lower;
            int count = number < 0 ? 0 : Counts[number];
            return (count - _discounts[Math.Min(count, 3)] + _left[context] * lower) / total;
        }

        /// <summary>Chen and Goodman: <c>D(c) = c - (c + 1) Y n(c+1) / n(c)</c>, <c>Y = n1 / (n1 + 2 n2)</c>. Where the counts of counts are
        /// too few to say (very small or very regular data), 0.5, 1 and 1.5.</summary>
        private void SetDiscounts(long[] n)
        {
            double y = n[1] + 2 * n[2] == 0 ? 0 : (double)n[1] / (n[1] + 2 * n[2]);
            for (int c = 1; c <= 3; c++)
            {
                double discount = n[c] == 0 ? double.NaN : c - (c + 1) * y * n[c + 1] / n[c];
                _discounts[c] = discount > 0 && discount < c ? discount : c / 2.0;
            }
        }
    }
}
