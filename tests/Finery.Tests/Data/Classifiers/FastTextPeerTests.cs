using Finery.Data.Classifiers;
using Finery.Data.Readers;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Classifiers;

/// <summary>Both ways against the C++ command line: it predicts what we predict, to the last digit it prints.</summary>
public class FastTextPeerTests
{
    [Theory]
    [InlineData("softmax", "-wordNgrams 2 -minn 2 -maxn 5")]
    [InlineData("hs", "-wordNgrams 3 -minn 3 -maxn 6")]
    [InlineData("ova", "-wordNgrams 2 -minn 0 -maxn 0")]
    [InlineData("ns", "-wordNgrams 1 -minn 1 -maxn 3")]
    public void Its_models_give_the_same_answers_here(string loss, string options)
    {
        FastTextCommand.SkipIfAbsent();
        using var folder = new TemporaryFolder();
        var (train, texts) = WriteTexts(folder);
        FastTextCommand.Run(
            ["supervised", "-input", train, "-output", folder["m"], "-loss", loss, "-dim", "11", "-bucket", "3000", "-epoch", "3",
                "-thread", "1", "-verbose", "0", .. options.Split(' ')]);
        AssertSameAnswers(folder["m.bin"], texts);
        foreach (string[] quantisation in (string[][])[["-dsub", "3"], ["-qnorm", "-cutoff", "400", "-retrain"]])
        {
            FastTextCommand.Run(["quantize", "-input", train, "-output", folder["m"], "-verbose", "0", .. quantisation]);
            AssertSameAnswers(folder["m.ftz"], texts);
            Assert.Equal(File.ReadAllBytes(folder["m.ftz"]), MadeUpLanguages.Bytes(FastTextModel.Load(folder["m.ftz"])));
        }
    }

    [Theory]
    [InlineData(FastTextLoss.Softmax)]
    [InlineData(FastTextLoss.HierarchicalSoftmax)]
    [InlineData(FastTextLoss.NegativeSampling)]
    [InlineData(FastTextLoss.OneVsAll)]
    public void Our_models_give_the_same_answers_there(FastTextLoss loss)
    {
        FastTextCommand.SkipIfAbsent();
        using var folder = new TemporaryFolder();
        var (train, texts) = WriteTexts(folder);
        var trainer = new FastTextTrainer(MadeUpLanguages.Small(loss));
        trainer.AddFile(train);
        var model = trainer.Train();
        model.Save(folder["m.bin"]);
        AssertSameAnswers(folder["m.bin"], texts);
        foreach (FastTextQuantisationSettings settings in (FastTextQuantisationSettings[])
            [new(), new() { QuantiseNorms = true, PartSize = 3 },
                new() { Cutoff = 300, RetrainEpochs = 2, QuantiseNorms = true }])
        {
            trainer.Quantise(model, settings).Save(folder["m.ftz"]);
            AssertSameAnswers(folder["m.ftz"], texts);
        }
    }

    [Fact]
    public void Quantised_outputs_of_many_labels_agree()
    {
        FastTextCommand.SkipIfAbsent();
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder["texts"], MadeUpLanguages.Texts(60, 300).Select(text => text.Text));
        foreach (var loss in (FastTextLoss[])[FastTextLoss.Softmax, FastTextLoss.HierarchicalSoftmax])
        {
            var trainer = MadeUpLanguages.Trainer(MadeUpLanguages.Small(loss) with { Epochs = 2 }, 3000, 300);
            trainer.Quantise(trainer.Train(), new() { QuantiseNorms = true, QuantiseOutput = true }).Save(folder["m.ftz"]);
            AssertSameAnswers(folder["m.ftz"], folder["texts"]);
        }
    }

    private static void AssertSameAnswers(string modelFile, string texts)
    {
        var model = FastTextModel.Load(modelFile);
        foreach (int k in (int[])[1, 3, -1])
            Assert.Equal(FastTextCommand.Predict(modelFile, texts, k), FastTextCommand.Predict(model, texts, k));
    }

    // Real texts of many languages where they are at hand, besides those made up.
    private static (string Train, string Texts) WriteTexts(TemporaryFolder folder)
    {
        List<(string Label, string Text)> texts = [.. MadeUpLanguages.Texts(300)];
        string real = Path.Combine(Repository.Data, "languages", "tldr.jsonl.gz");
        if (File.Exists(real))
            texts.AddRange(new JsonLinesReader { Paths = [real] }.Read(new()).Where((_, i) => i % 40 == 0)
                .Select(document => ((string)document.Metadata["language"]!, document.Text.Replace('\n', ' '))));
        texts.AddRange([("odd", "\v tabs\tand\fothers \0 x"), ("odd", "</s>"), ("odd", "__label__nobody a</s>b \u00A0 🦊🦊 é"),
            ("odd", "")]);
        File.WriteAllLines(folder["train"], texts.Select(text => $"__label__{text.Label} {text.Text}"));
        // A line that holds the closing token would be two lines for the command line.
        File.WriteAllLines(folder["texts"], texts.Select(text => text.Text).Where(text => text != "</s>"));
        return (folder["train"], folder["texts"]);
    }
}
