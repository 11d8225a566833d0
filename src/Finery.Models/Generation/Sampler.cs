using Finery.Tensors;

namespace Finery.Models.Generation;

/// <summary>Chooses tokens from logits, in the order of Hugging Face (formats reference 4): repetition penalty, temperature,
/// top-k, top-p, draw. Each draw is a pure function of (logits, settings, history, step). Not thread-safe: it owns scratch
/// memory.</summary>
/// <param name="vocabulary">V.</param>
public sealed class Sampler(int vocabulary)
{
    private readonly float[] _scores = new float[vocabulary];
    private readonly int[] _heap = new int[vocabulary];
    private readonly int[] _kept = new int[vocabulary];
    private readonly double[] _weights = new double[vocabulary];
    private readonly bool[] _seen = new bool[vocabulary];

    /// <summary>Chooses one token.</summary>
    /// <param name="logits">[V], unchanged.</param>
    /// <param name="settings">Assumed valid.</param>
    /// <param name="history">Prompt and tokens so far, for the repetition penalty.</param>
    /// <param name="step">Index of the draw within the text: with the seed it determines the random number.</param>
    /// <exception cref="ArgumentException">A logit is NaN or positive infinity, or there are not V of them.</exception>
    public int Sample(ReadOnlySpan<float> logits, GenerationSettings settings, ReadOnlySpan<int> history, long step)
    {
        if (logits.Length != vocabulary)
            throw new ArgumentException($"{logits.Length} logits for a vocabulary of {vocabulary}.", nameof(logits));
        logits.CopyTo(_scores);
        if (settings.RepetitionPenalty != 1) Penalize(history, settings.RepetitionPenalty);
        int best = Best();
        if (settings.Temperature < GenerationSettings.GreedyTemperature) return best;

        // Scores relative to the best: the exponentials below cannot overflow.
        double top = _scores[best];
        for (int i = 0; i < vocabulary; i++) _weights[i] = Math.Exp((_scores[i] - top) / settings.Temperature);
        double random = CounterRandom.Uniform(CounterRandom.Key(settings.Seed, "sampler"), (ulong)step);
        bool all = settings.TopK == 0 || settings.TopK >= vocabulary;
        if (all && settings.TopP >= 1)
        {
            for (int i = 0; i < vocabulary; i++) _kept[i] = i;
            return Draw(vocabulary, random);
        }
        return Draw(Keep(all ? vocabulary : settings.TopK, all, settings.TopP), random);
    }

    private void Penalize(ReadOnlySpan<int> history, float penalty)
    {
        foreach (int id in history)
        {
            if (_seen[id]) continue;
            _seen[id] = true;
            _scores[id] = _scores[id] > 0 ? _scores[id] / penalty : _scores[id] * penalty;
        }
        foreach (int id in history) _seen[id] = false;
    }

    private int Best()
    {
        int best = 0;
        for (int i = 0; i < vocabulary; i++)
        {
            if (float.IsNaN(_scores[i]) || float.IsPositiveInfinity(_scores[i]))
                throw new ArgumentException(
                    $"The logit of token {i} is {_scores[i]}: the model's weights have diverged.", "logits");
            if (_scores[i] > _scores[best]) best = i;
        }
        return best;
    }

    /// <summary>Fills <see cref="_kept"/> with the most likely tokens, best first, and returns how many.</summary>
    private int Keep(int topK, bool all, float topP)
    {
        for (int i = 0; i < vocabulary; i++) _heap[i] = i;
        int size = vocabulary;
        for (int i = (size / 2) - 1; i >= 0; i--) SiftDown(i, size);

        // Top-p is a share of what top-k left; without top-k that is everything, and the heap need not be emptied.
        double total = 0;
        if (all)
        {
            foreach (double weight in _weights) total += weight;
        }
        int count = 0;
        double sum = 0;
        while (count < topK && (!all || sum < topP * total))
        {
            int id = _heap[0];
            _heap[0] = _heap[--size];
            SiftDown(0, size);
            _kept[count++] = id;
            sum += _weights[id];
        }
        if (all) return count;
        double kept = 0;
        int within = 0;
        while (within < count && (within == 0 || kept < topP * sum)) kept += _weights[_kept[within++]];
        return within;
    }

    private int Draw(int count, double random)
    {
        double total = 0;
        for (int i = 0; i < count; i++) total += _weights[_kept[i]];
        double threshold = random * total;
        double cumulative = 0;
        for (int i = 0; i < count - 1; i++)
        {
            cumulative += _weights[_kept[i]];
            if (cumulative > threshold) return _kept[i];
        }
        return LastPossible(count);
    }

    // Rounding can leave the threshold above the sum; a token of probability 0 must still never be drawn.
    private int LastPossible(int count)
    {
        int last = count - 1;
        while (last > 0 && _weights[_kept[last]] == 0) last--;
        return _kept[last];
    }

    private void SiftDown(int parent, int size)
    {
        int id = _heap[parent];
        while (true)
        {
            int child = (2 * parent) + 1;
            if (child >= size) break;
            if (child + 1 < size && Before(_heap[child + 1], _heap[child])) child++;
            if (!Before(_heap[child], id)) break;
            _heap[parent] = _heap[child];
            parent = child;
        }
        _heap[parent] = id;
    }

    private bool Before(int a, int b) => _scores[a] > _scores[b] || (_scores[a] == _scores[b] && a < b);
}
