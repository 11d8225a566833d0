using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>What each id stands for. Ids may have holes: numbers below the size at which there is no token.</summary>
internal sealed class Vocabulary
{
    private readonly byte[]?[] _bytes; // by id; null in a hole
    private readonly bool[] _special; // by id

    public Vocabulary(TokenizerModel model, Func<string, byte[]> bytesOf)
    {
        int count = model.Tokens.Length;
        Ids = new Dictionary<string, int>(count, StringComparer.Ordinal);
        _bytes = new byte[count][];
        _special = new bool[count];
        IsOutsideModel = new bool[count];
        for (int id = 0; id < count; id++)
        {
            if (model.Holes is { } holes && holes[id]) continue;
            if (!Ids.TryAdd(model.Tokens[id], id))
                throw new InvalidDataException(
                    $"The vocabulary has \"{model.Tokens[id]}\" twice: ids {Ids[model.Tokens[id]]} and {id}.");
            _bytes[id] = bytesOf(model.Tokens[id]);
        }
        foreach (AddedToken added in model.Added)
        {
            _bytes[added.Id] = Encoding.UTF8.GetBytes(added.Content);
            _special[added.Id] = added.Special;
            IsOutsideModel[added.Id] = added.Special || !added.InVocabulary;
        }
    }

    /// <summary>Id by text, as in the file.</summary>
    public Dictionary<string, int> Ids { get; }

    /// <summary>By id: whether the model may never give it, as it is a control token or stands among the added tokens only.</summary>
    public bool[] IsOutsideModel { get; }

    public int Size => _bytes.Length;

    public bool IsSpecial(int id) => _special[Checked(id)];

    public bool Has(int id) => (uint)id < (uint)_bytes.Length && _bytes[id] is not null;

    public byte[] Bytes(int id) => _bytes[Checked(id)]!;

    public int Checked(int id) => (uint)id >= (uint)_bytes.Length
        ? throw new ArgumentOutOfRangeException(nameof(id), id, $"The vocabulary has ids 0 to {_bytes.Length - 1}.")
        : _bytes[id] is null
            ? throw new ArgumentOutOfRangeException(nameof(id), id, "The vocabulary has no token with this id, though larger ones.")
            : id;
}
