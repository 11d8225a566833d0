using System.Security.Cryptography;
using Finery.Data.Tokenizers;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Cli.Inference;

/// <summary>
/// Text in, text out: tokenizer, generator, chat template and stop sequences together. What <c>generate</c>, <c>chat</c> and
/// <c>serve</c> share. One generation at a time.
/// </summary>
public sealed class TextEngine : IDisposable
{
    private readonly LlamaModel _model;
    private readonly Kernels _kernels;
    private readonly Generator _generator;
    private readonly ChatTemplate? _template;
    private readonly string _noChatReason = "";
    private readonly int[] _stopIds;

    /// <summary>Puts the parts together and owns <paramref name="model"/> and <paramref name="kernels"/> from here on.</summary>
    /// <param name="model">Produces tokens.</param>
    /// <param name="tokenizer">Of the same vocabulary.</param>
    /// <param name="kernels">Does the work.</param>
    /// <param name="modelId">Name under which the model is served.</param>
    /// <exception cref="InvalidDataException">The tokenizer has more ids than the model.</exception>
    public TextEngine(LlamaModel model, Tokenizer tokenizer, Kernels kernels, string modelId)
    {
        if (tokenizer.VocabSize > model.Config.VocabSize)
        {
            throw new InvalidDataException(
                $"The tokenizer has {tokenizer.VocabSize} ids but the model only {model.Config.VocabSize}: " +
                "they do not belong together. Put the tokenizer the model was trained with into the model's folder.");
        }
        (_model, _kernels, Tokenizer, ModelId) = (model, kernels, tokenizer, modelId);
        _generator = new Generator(model, kernels, reusePrefix: true);
        var stops = new HashSet<int>(model.StopIds);
        if (tokenizer.EosId is { } end) stops.Add(end);
        try
        {
            _template = new ChatTemplate(tokenizer);
            stops.Add(_template.EndId);
        }
        catch (NotSupportedException reason)
        {
            _noChatReason = reason.Message;
        }
        _stopIds = [.. stops.Order()];
    }

    /// <summary>Name under which the model is served.</summary>
    public string ModelId { get; }

    /// <summary>Text to tokens and back.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Most tokens of prompt and answer together.</summary>
    public int ContextLength => _generator.ContextLength;

    /// <summary>Whether the tokenizer has a chat template that is understood.</summary>
    public bool CanChat => _template is not null;

    /// <summary>Parameters of the model.</summary>
    public long ParameterCount => _model.Config.ParameterCount;

    /// <summary>Tokens of the last prompt that were still known from the one before.</summary>
    public int CachedTokens => _generator.CachedTokens;

    /// <summary>Loads a model folder with its tokenizer.</summary>
    /// <param name="folder">Hugging Face model folder.</param>
    /// <param name="threads">Threads to compute with.</param>
    /// <param name="modelId">Name under which the model is served.</param>
    public static TextEngine Load(string folder, int threads, string modelId)
    {
        var tokenizer = TokenizerFile.Load(folder);
        var model = LlamaModel.Load(folder, trainable: false);
        try
        {
            return new TextEngine(model, tokenizer, new CpuKernels(threads), modelId);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>A seed for a request that names none.</summary>
    public static ulong RandomSeed() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));

    /// <summary>A conversation as the prompt of the assistant's next turn.</summary>
    /// <exception cref="NotSupportedException">The model has no chat template; the message says what to do.</exception>
    public int[] EncodeChat(IReadOnlyList<ChatMessage> messages) =>
        (_template ?? throw new NotSupportedException(_noChatReason)).Encode(messages, addGenerationPrompt: true).Ids;

    /// <summary>A text to be continued: the begin token, if the tokenizer has one, and the text.</summary>
    /// <exception cref="ArgumentException">The text is empty and there is no begin token.</exception>
    public int[] EncodePrompt(string text)
    {
        var ids = new List<int>();
        if (Tokenizer.BosId is { } begin) ids.Add(begin);
        Tokenizer.Encode(text, ids);
        return ids.Count > 0 ? [.. ids]
            : throw new ArgumentException("The prompt is empty, and this tokenizer has no begin token: give some text.");
    }

    /// <summary>Continues a prompt, part by part; the last part has <see cref="TextPiece.Finish"/> set.</summary>
    /// <param name="prompt">Token ids, at least one and at most <see cref="ContextLength"/>.</param>
    /// <param name="request">How.</param>
    /// <param name="cancellation">Checked before each token.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was signalled.</exception>
    public IEnumerable<TextPiece> Generate(IReadOnlyList<int> prompt, TextRequest request, CancellationToken cancellation)
    {
        var decoder = new StreamingDecoder(Tokenizer);
        var matcher = new StopMatcher(request.Stop);
        var undecided = new Queue<(int Start, TokenLogProbability Token)>();
        int tokens = 0, decoded = 0, shown = 0;
        foreach (int id in _generator.Generate(prompt, request.Settings, _stopIds, cancellation))
        {
            tokens++;
            if (request.LogProbabilities is { } count)
                undecided.Enqueue((decoded, new(id, _generator.LogProbability(id), _generator.TopLogProbabilities(count))));
            // Models may have more rows than the tokenizer has ids (padding to a round number); such a token has no text.
            string text = id < Tokenizer.VocabSize ? decoder.Push(id) : "";
            decoded += text.Length;
            string visible = matcher.Push(text);
            shown += visible.Length;
            yield return new TextPiece(visible, tokens, matcher.Stopped ? FinishReason.Stop : FinishReason.None, Decided(shown));
            if (matcher.Stopped) yield break;
        }
        string rest = matcher.Push(decoder.Flush());
        if (!matcher.Stopped) rest += matcher.Flush();
        bool ended = matcher.Stopped || _generator.Finish == FinishReason.Stop;
        yield return new TextPiece(
            rest, tokens, ended ? FinishReason.Stop
                : FinishReason.Length, Decided(matcher.Stopped ? shown + rest.Length : int.MaxValue));

        // A token counts as shown when some of its text is: those of a stop sequence are not reported either.
        IReadOnlyList<TokenLogProbability> Decided(int end)
        {
            if (undecided.Count == 0 || undecided.Peek().Start >= end) return [];
            var decided = new List<TokenLogProbability>();
            while (undecided.TryPeek(out var next) && next.Start < end) decided.Add(undecided.Dequeue().Token);
            return decided;
        }
    }

    /// <summary>Frees model, cache and threads.</summary>
    public void Dispose()
    {
        _generator.Dispose();
        _model.Dispose();
        _kernels.Dispose();
    }
}
