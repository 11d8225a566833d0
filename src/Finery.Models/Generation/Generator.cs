using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Models.Generation;

/// <summary>
/// Produces text token by token with a key/value cache. Prompts are read in chunks of <see cref="ChunkTokens"/>. One generation
/// at a time: starting a second while one is enumerated is an error. The model must outlive it.
/// </summary>
public sealed class Generator : IDisposable
{
    /// <summary>Tokens of a prompt read per forward pass.</summary>
    public const int ChunkTokens = 64;

    private readonly Arena _arena = new("generator");
    private readonly Sampler _sampler;
    private readonly KeyValueCache _cache;
    private readonly Pass _chunk;
    private readonly Pass _single;
    private readonly Tape _head;
    private readonly Tensor _last;
    private readonly Tensor _logits;
    private readonly bool _reusePrefix;
    private readonly int _vocabulary;

    // Prompt and produced tokens; the first _cache.Length of them have keys and values in the cache.
    private readonly int[] _tokens;
    private int _count;

    // How many tokens, from the first, were read by whole chunks: what a later prompt with the same beginning may reuse.
    private int _reusable;
    private int _busy;

    /// <summary>Records the forward passes and allocates the cache.</summary>
    /// <param name="model">Produces the text.</param>
    /// <param name="kernels">Does the work.</param>
    /// <param name="contextLength">Most tokens of prompt and text together; null for the model's own limit.</param>
    /// <param name="reusePrefix">Keeps the cache between generations and skips the beginning a prompt shares with the one before
    /// (whole chunks, so results are the same bits). Leave false where weights may change in between.</param>
    public Generator(LlamaModel model, Kernels kernels, int? contextLength = null, bool reusePrefix = false)
    {
        ContextLength = contextLength ?? model.Config.SequenceLength;
        if (ContextLength < 1 || ContextLength > model.Config.SequenceLength)
            throw new ArgumentOutOfRangeException(nameof(contextLength),
                $"Context of {ContextLength} tokens; the model supports 1 to {model.Config.SequenceLength}.");
        (_reusePrefix, _vocabulary) = (reusePrefix, model.Config.VocabSize);
        _tokens = new int[ContextLength];
        _sampler = new Sampler(_vocabulary);
        // The last chunk of a prompt is padded, and the padding is written behind the prompt.
        _cache = new KeyValueCache(_arena, model.Config.LayerCount, ContextLength + ChunkTokens - 1, model.Config.Attention);
        _chunk = new Pass(model, kernels, _arena, _cache, ChunkTokens);
        _single = new Pass(model, kernels, _arena, _cache, 1);
        _last = _arena.Allocate("last", _single.Hidden.Type, 1, model.Config.EmbeddingSize);
        _head = new Tape(kernels, _arena, gradients: false);
        _logits = model.Logits(_head, _last);
        _head.Plan();
    }

    /// <summary>Most tokens of prompt and text together.</summary>
    public int ContextLength { get; }

    /// <summary>Why the last generation ended.</summary>
    public FinishReason Finish { get; private set; }

    /// <summary>Tokens of the last prompt that did not have to be read because the one before began with them.</summary>
    public int CachedTokens { get; private set; }

    /// <summary>Produces tokens one by one; a stop token ends the text and is not part of it. After the last token,
    /// <see cref="Finish"/> says why it ended; while at a token, <see cref="LogProbability"/> tells about it.</summary>
    /// <param name="prompt">At least one token, at most <see cref="ContextLength"/>.</param>
    /// <param name="settings">How to choose.</param>
    /// <param name="stopIds">Tokens that end the text; null for none.</param>
    /// <param name="cancellation">Checked before each token.</param>
    /// <exception cref="ArgumentException">The prompt is empty, too long or has an id outside the vocabulary, or the settings are
    /// invalid.</exception>
    /// <exception cref="InvalidOperationException">Another generation is running.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was signalled.</exception>
    public IEnumerable<int> Generate(
        IReadOnlyList<int> prompt, GenerationSettings settings, IReadOnlyCollection<int>? stopIds = null,
        CancellationToken cancellation = default)
    {
        settings.ThrowIfInvalid();
        CheckPrompt(prompt);
        return Run(prompt, settings, stopIds ?? [], cancellation);
    }

    /// <summary>Natural logarithm of the model's probability (temperature 1, nothing cut off) of a token at the place of the
    /// token just produced.</summary>
    public float LogProbability(int id) => (float)(_logits.Floats[id] - LogSumExp());

    /// <summary>The most likely tokens at the place of the token just produced, best first, ties lowest id.</summary>
    /// <param name="count">How many.</param>
    public IReadOnlyList<(int Id, float LogProbability)> TopLogProbabilities(int count)
    {
        double logSumExp = LogSumExp();
        float[] logits = _logits.Floats.ToArray();
        return [.. Enumerable.Range(0, _vocabulary).OrderByDescending(id => logits[id]).ThenBy(id => id)
            .Take(count).Select(id => (id, (float)(logits[id] - logSumExp)))];
    }

    /// <summary>Reads a prompt and returns the logits [V] of the token after it, valid until the next call.</summary>
    /// <exception cref="ArgumentException">As for <see cref="Generate"/>.</exception>
    /// <exception cref="InvalidOperationException">A generation is running.</exception>
    public ReadOnlySpan<float> NextLogits(IReadOnlyList<int> prompt, CancellationToken cancellation = default)
    {
        CheckPrompt(prompt);
        Enter();
        try
        {
            Prefill(prompt, cancellation);
            return _logits.Floats;
        }
        finally
        {
            _busy = 0;
        }
    }

    /// <summary>Frees cache and activations.</summary>
    public void Dispose() => _arena.Dispose();

    private IEnumerable<int> Run(
        IReadOnlyList<int> prompt, GenerationSettings settings, IReadOnlyCollection<int> stopIds, CancellationToken cancellation)
    {
        Enter();
        try
        {
            Finish = FinishReason.None;
            Prefill(prompt, cancellation);
            for (int produced = 0; ; produced++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (produced == settings.MaxTokens)
                {
                    Finish = FinishReason.Length;
                    yield break;
                }
                if (_count == ContextLength)
                {
                    Finish = FinishReason.Context;
                    yield break;
                }
                int id = _sampler.Sample(_logits.Floats, settings, _tokens.AsSpan(0, _count), produced);
                if (stopIds.Contains(id))
                {
                    Finish = FinishReason.Stop;
                    yield break;
                }
                _tokens[_count++] = id;
                yield return id;
                if (produced + 1 == settings.MaxTokens || _count == ContextLength) continue;
                Advance(_single, 1);
                _head.Forward();
            }
        }
        finally
        {
            _busy = 0;
        }
    }

    private void Enter()
    {
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new InvalidOperationException(
                "This generator is producing another text; finish that first or use a second generator.");
    }

    private void CheckPrompt(IReadOnlyList<int> prompt)
    {
        if (prompt.Count == 0)
            throw new ArgumentException("The prompt has no tokens; begin with the beginning-of-text token.", nameof(prompt));
        if (prompt.Count > ContextLength)
            throw new ArgumentException(
                $"The prompt has {prompt.Count} tokens; the context holds {ContextLength}.", nameof(prompt));
        for (int i = 0; i < prompt.Count; i++)
        {
            if ((uint)prompt[i] >= (uint)_vocabulary)
                throw new ArgumentException(
                    $"Prompt token {i} is {prompt[i]}, outside the vocabulary of {_vocabulary}.", nameof(prompt));
        }
    }

    /// <summary>Reads the prompt in chunks that always begin at multiples of <see cref="ChunkTokens"/>: whether a chunk is read
    /// now or was kept from before, its keys and values are the same bits.</summary>
    private void Prefill(IReadOnlyList<int> prompt, CancellationToken cancellation)
    {
        int shared = 0;
        if (_reusePrefix)
        {
            // At least the last token is read again: its logits are needed.
            int limit = Math.Min(_reusable, prompt.Count - 1);
            while (shared < limit && _tokens[shared] == prompt[shared]) shared++;
            shared -= shared % ChunkTokens;
        }
        CachedTokens = _cache.Length = _reusable = shared;
        _count = shared;
        while (_count < prompt.Count)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = Math.Min(ChunkTokens, prompt.Count - _count);
            for (int i = 0; i < count; i++) _tokens[_count + i] = prompt[_count + i];
            _count += count;
            Advance(count == 1 ? _single : _chunk, count);
            if (count == ChunkTokens) _reusable = _count;
        }
        _head.Forward();
    }

    private void Advance(Pass pass, int count)
    {
        pass.Read(_tokens.AsSpan(_cache.Length, count), _cache.Length);
        _cache.Length += count;
        int width = (int)_last.ByteLength;
        pass.Hidden.Bytes.Slice((count - 1) * width, width).CopyTo(_last.Bytes);
    }

    private double LogSumExp()
    {
        var logits = _logits.Floats;
        double top = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits) top = Math.Max(top, logit);
        foreach (float logit in logits) sum += Math.Exp(logit - top);
        return top + Math.Log(sum);
    }

    /// <summary>A recorded forward pass over a fixed number of new tokens.</summary>
    private sealed class Pass
    {
        private readonly ModelInputs _inputs;
        private readonly Tape _tape;

        public Pass(LlamaModel model, Kernels kernels, Arena arena, KeyValueCache cache, int tokens)
        {
            _inputs = new ModelInputs(arena, tokens);
            _tape = new Tape(kernels, arena, gradients: false, activations: model.WeightType);
            Hidden = model.Hidden(_tape, _inputs, cache);
            _tape.Plan();
        }

        /// <summary>[tokens, D].</summary>
        public Tensor Hidden { get; }

        /// <summary>Reads tokens at the end of the cache; missing ones are padding, which nothing before it sees.</summary>
        public void Read(ReadOnlySpan<int> ids, int position)
        {
            ids.CopyTo(_inputs.Ids.Integers);
            _inputs.Ids.Integers[ids.Length..].Clear();
            var positions = _inputs.Positions.Integers;
            for (int i = 0; i < positions.Length; i++) positions[i] = i < ids.Length ? position + i : 0;
            _tape.Forward();
        }
    }
}
