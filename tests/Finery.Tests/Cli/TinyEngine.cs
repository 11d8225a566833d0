using Finery.Cli.Inference;
using Finery.Data.Tokenizers;
using Finery.Models;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;

namespace Finery.Tests.Cli;

/// <summary>A model of a few thousand random weights with a real tokenizer: it writes nonsense, but through the real
/// path.</summary>
internal static class TinyEngine
{
    public const string Id = "tiny";
    public const int Context = 192;

    private static readonly string[] Text =
    [
        "Gets the number of elements contained in the list.", "Removes the element at the specified index of the list.",
        "Naïve café: the quick brown fox jumps over the lazy dog \U0001F600\U0001F680.",
    ];

    public static Tokenizer Tokenizer { get; } = new BpeTrainer { VocabSize = 300, Threads = 1 }.Train(Text);

    public static TextEngine Create() => new(CreateModel(), Tokenizer, new CpuKernels(1), Id);

    /// <summary>The same on disk, for commands that load it.</summary>
    public static void Save(string folder)
    {
        using var model = CreateModel();
        model.Save(folder);
        TokenizerFile.Save(Tokenizer, folder);
    }

    public static TextRequest Greedy(int tokens, params string[] stop) =>
        new(GenerationSettings.Greedy with { MaxTokens = tokens }, stop);

    public static string Complete(TextEngine engine, string prompt, TextRequest request) =>
        string.Concat(engine.Generate(engine.EncodePrompt(prompt), request, CancellationToken.None).Select(piece => piece.Text));

    private static LlamaModel CreateModel()
    {
        var config = new ModelConfig
        {
            VocabSize = Tokenizer.VocabSize, EmbeddingSize = 32, LayerCount = 2, HeadCount = 4, KvHeadCount = 2, HeadSize = 8,
            FeedForwardSize = 48, SequenceLength = Context, BosId = Tokenizer.BosId, EosId = Tokenizer.EosId,
        };
        var model = new LlamaModel(config, seed: 5, trainable: false);
        // Large weights, so that what comes next depends on what came before.
        foreach (var parameter in model.Parameters.Where(parameter => parameter.Weight.Shape.Length > 1))
        {
            foreach (ref float weight in parameter.Weight.Floats) weight *= 8;
        }
        return model;
    }
}
