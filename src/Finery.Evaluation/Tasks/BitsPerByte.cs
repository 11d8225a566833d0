using Finery.Evaluation.Metrics;

namespace Finery.Evaluation.Tasks;

/// <summary>A document the model has not seen.</summary>
/// <param name="Tokens">Its tokens, without beginning- and end-of-sequence.</param>
/// <param name="Bytes">UTF-8 length of the original text, before any normalisation.</param>
public sealed record HeldOutDocument(int[] Tokens, int Bytes);

/// <summary>Result of <see cref="BitsPerByte"/>.</summary>
/// <param name="BitsPerByte">Over all documents, with a standard error over documents.</param>
/// <param name="Nats">Negative log-likelihood of each document, in the order given; for paired comparison.</param>
/// <param name="Bytes">Bytes of each document.</param>
/// <param name="Tokens">Tokens predicted.</param>
public sealed record BitsPerByteResult(Estimate BitsPerByte, double[] Nats, double[] Bytes, long Tokens)
{
    /// <summary>Mean negative log-likelihood of a token in nats; its exponential is the perplexity. Comparable only between models of
    /// one tokenizer.</summary>
    public double NatsPerToken => Nats.Sum() / Tokens;

    /// <summary>This score minus <paramref name="other"/>'s on the same documents: negative where this model is better.</summary>
    /// <exception cref="ArgumentException">The documents differ.</exception>
    public Estimate Minus(BitsPerByteResult other)
    {
        if (!Bytes.AsSpan().SequenceEqual(other.Bytes))
            throw new ArgumentException("The two models were scored on different documents.", nameof(other));
        var difference = Estimate.PairedRatioDifference(Nats, other.Nats, Bytes);
        return new(difference.Value / Math.Log(2), difference.StandardError / Math.Log(2), difference.Count);
    }
}

/// <summary>
/// Compression of held-out text: <c>-sum ln P / (bytes ln 2)</c>, comparable between tokenizers. Each document starts from
/// beginning-of-sequence, special tokens count no bytes, and the end-of-sequence token is not predicted.
/// </summary>
/// <param name="Documents">The held-out documents. Empty ones are left out of the score.</param>
/// <param name="BosId">Beginning-of-sequence, the context of each first token.</param>
public sealed record BitsPerByte(IReadOnlyList<HeldOutDocument> Documents, int BosId)
{
    /// <summary>Scores <paramref name="model"/>.</summary>
    /// <exception cref="ArgumentException">No document has text.</exception>
    public BitsPerByteResult Score(ITokenModel model)
    {
        var documents = Documents.Where(document => document is { Bytes: > 0, Tokens.Length: > 0 }).ToArray();
        if (documents.Length == 0) throw new ArgumentException("Bits per byte: no held-out document has text.");
        var spans = new List<TokenSpan>();
        var owners = new List<int>();
        for (int i = 0; i < documents.Length; i++)
        {
            foreach (var span in RollingWindows.Cut(documents[i].Tokens, BosId, model.ContextLength))
            {
                spans.Add(span);
                owners.Add(i);
            }
        }
        var scores = new double[spans.Count];
        model.Score(spans.ToArray(), scores);
        var nats = new double[documents.Length];
        for (int i = 0; i < scores.Length; i++) nats[owners[i]] -= scores[i];

        var bytes = documents.Select(document => (double)document.Bytes).ToArray();
        var perByte = Estimate.Ratio(nats, bytes);
        return new(
            new(perByte.Value / Math.Log(2), perByte.StandardError / Math.Log(2), perByte.Count),
            nats, bytes, documents.Sum(document => (long)document.Tokens.Length));
    }
}
