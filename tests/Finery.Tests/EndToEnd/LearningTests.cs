using System.Text;
using Finery.Data;
using Finery.Data.Tokenizers;
using Finery.Evaluation;
using Finery.Evaluation.Baselines;
using Finery.Evaluation.Tasks;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.EndToEnd;

/// <summary>Pretraining reference 11, case 27, on a twelfth of its tokens: recipes/claims/muon.yaml has all of them and takes hours.</summary>
public sealed class LearningTests : IDisposable
{
    private const int Steps = 400, Rows = 8, Length = 256;

    private readonly string _folder = Directory.CreateTempSubdirectory("finery-learning-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact, Trait("Category", SlowTests.Category)]
    public void Muon_is_better_than_AdamW_after_the_same_steps_and_better_than_a_trigram_of_as_many_tokens()
    {
        SlowTests.Require();
        string sweep = Path.Combine(_folder, "learning.yaml"), run = Path.Combine(_folder, "run");
        File.WriteAllText(sweep, $$"""
            name: learning
            recipe: '{{Path.Combine(Repository.Claims, "small.yaml")}}'
            metric: pretrain.validation_loss
            seeds: [1, 2, 3]
            parameters:
              pretrain.model: [{ layers: 4, width: 192, heads: 4, kv_heads: 4, feed_forward: 512 }]
              pretrain.schedule: [{ schedule: wsd, warmup_share: 0.05, decay_share: 0.5 }]
              pretrain.steps: [{{Steps}}]
              pretrain.rows: [{{Rows}}]
              pretrain.sequence_length: [{{Length}}]
            variants:
              adamw: { pretrain.learning_rate: 1e-3, pretrain.optimizer: { optimizer: adamw, groups: [{ pattern: embed_tokens, rate_scale: 16 }] } }
              muon: { pretrain.learning_rate: 8e-3, pretrain.optimizer: { optimizer: muon, groups: [{ pattern: embed_tokens, rate_scale: 4 }] } }
            claim: { statement: Muon is better, better: muon, than: adamw, threshold: 0.065 }
            """);
        var (code, output) = FineryProcess.Run("sweep", sweep, "--out", run);
        Assert.True(code == 0, output);
        Assert.Contains("Muon is better: reproduced", output);

        var tokenizer = TokenizerFile.Load(Path.Combine(run, "tokenizer", "tokenizer"));
        int bos = tokenizer.BosId!.Value;
        IEnumerable<Document> Documents(string part) => DocumentFolder.Read(new(ArtifactKind.Documents, Path.Combine(run, "split", part), "split"));
        var task = new BitsPerByte([.. Documents("heldout").Select(
            document => new HeldOutDocument(tokenizer.Encode(document.Text), Encoding.UTF8.GetByteCount(document.Text)))], bos);
        // A sample of all of the text: it stands in the order of packages.
        var train = Documents("train").OrderBy(document => StableHash.Of(document.Id))
            .Select(document => new ReadOnlyMemory<int>([bos, .. tokenizer.Encode(document.Text)]));
        var trigram = task.Score(NGramModel.Train(train, order: 3, tokenizer.VocabSize, (long)Steps * Rows * Length));
        using var kernels = new CpuKernels();
        foreach (int seed in new[] { 1, 2, 3 })
        {
            using var model = LlamaModel.Load(Path.Combine(run, $"pretrain-muon-s{seed}", "model"), trainable: false);
            using var scored = new NeuralModel(model, kernels);
            var difference = task.Score(scored).Minus(trigram);
            TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}: {difference.Value:F4} ± {difference.StandardError:F4} bits per byte");
            Assert.True(difference.Value + 2 * difference.StandardError < 0, $"seed {seed}: {difference}");
        }
    }
}
