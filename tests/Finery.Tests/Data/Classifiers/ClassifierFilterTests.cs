using Finery.Data;
using Finery.Data.Classifiers;
using Finery.Data.Filters;
using Finery.Tests.Models;
using Xunit;

namespace Finery.Tests.Data.Classifiers;

public class ClassifierFilterTests
{
    private static readonly string[] s_good = ["theorem", "proof", "lemma", "integral", "therefore", "equation"];
    private static readonly string[] s_bad = ["click", "buy", "cheap", "subscribe", "sale", "login"];
    private static readonly string[] s_common = ["the", "a", "of", "is", "and", "with", "to"];

    [Fact]
    public void A_trained_folder_filters_at_its_threshold()
    {
        using var folder = new TemporaryFolder();
        var report = Train(folder.Path, new() { TargetPrecision = 0.9 });
        Assert.Equal("precision 0.9", report.Target);
        Assert.True(report.Precision >= 0.9 && report.Recall > 0.8);
        Assert.InRange(report.KeepRate, 0, 0.12);
        Assert.Equal(report.Curve.OrderBy(point => point.Threshold), report.Curve);
        Assert.Equal(1, report.Curve[0].Recall);
        var filter = new ClassifierFilter { Model = folder.Path };
        Assert.Empty(filter.Validate());
        var good = new WorkingDocument(new Document("1", "Theorem: the integral\nis a lemma, therefore proof of the equation"));
        filter.Apply(good);
        Assert.Null(good.Reason);
        Assert.InRange(good.Document.Metadata["__label__hq"]!.GetValue<double>(), report.Threshold, 1.0001);
        List<Measurement> measured = [];
        var bad = new WorkingDocument { Observer = measured.Add };
        bad.Start(new Document("2", "click to buy a cheap sale and subscribe"));
        filter.Apply(bad);
        Assert.Equal("classifier", bad.Reason);
        Assert.Equal(report.Threshold, Assert.Single(measured).Threshold);
    }

    [Fact]
    public void The_keep_rate_is_met_and_order_does_not_matter()
    {
        using var folder = new TemporaryFolder();
        var settings = new QualityClassifierTraining { TargetKeepRate = 0.05, HeldOutShare = 0.3 };
        var report = Train(folder.Path, settings);
        Assert.InRange(report.KeepRate, 0, 0.05);
        byte[] model = File.ReadAllBytes(folder["model.bin"]);
        string description = File.ReadAllText(folder["classifier.json"]);
        Train(folder.Path, settings, reverse: true);
        Assert.Equal(model, File.ReadAllBytes(folder["model.bin"]));
        Assert.Equal(description, File.ReadAllText(folder["classifier.json"]));
        Assert.Equal(200, Train(folder.Path, settings with { MaxDocuments = 100 }) is { } small
            ? small.TrainingCount + small.HeldOutCount + Lost(small) : 0);
        // Balancing drops what one kind has more of.
        static int Lost(QualityClassifierReport r) => 200 - r.TrainingCount - r.HeldOutCount;
    }

    [Fact]
    public void Paragraphs_and_sentences_are_cut_out()
    {
        using var folder = new TemporaryFolder();
        Train(folder.Path, new());
        string text =
            "Theorem of the integral, proof and lemma.\n\nclick to buy a cheap sale\nEquation: therefore a lemma is proof\n";
        var keep = new ClassifierFilter
        {
            Model = folder["model.bin"], Unit = ClassifiedUnit.Paragraph, LowerCase = true, NewlineReplacement = " ",
            KeepLabels = [new() { Label = "hq", Threshold = 0.5 }],
        };
        Assert.Equal("Theorem of the integral, proof and lemma.\n\nEquation: therefore a lemma is proof\n",
            Rewritten(keep, text));
        var remove = keep with { KeepLabels = [], RemoveLabels = [new() { Label = "random", Threshold = 0.5 }] };
        Assert.Equal("Theorem of the integral, proof and lemma.\n\nEquation: therefore a lemma is proof\n",
            Rewritten(remove, text));
        Assert.Equal("classifier", keep.Reject(new Document("1", "click buy\ncheap sale\n")));
        Assert.Equal("classifier", (remove with { Unit = ClassifiedUnit.Document }).Reject(new Document("1", "click buy")));
        Assert.Null((remove with { Unit = ClassifiedUnit.Document }).Reject(new Document("1", "theorem proof")));
        Assert.Equal(
            "Theorem of the integral, a proof.",
            Rewritten(keep with { Unit = ClassifiedUnit.Sentence },
                "Theorem of the integral, a proof. Click to buy the cheap sale."));
        Assert.NotEmpty((keep with { RemoveLabels = remove.RemoveLabels }).Validate());
        Assert.NotEmpty((keep with { KeepLabels = [new() { Label = "absent" }] }).Validate());
    }

    [Fact]
    public void A_label_exactly_at_its_threshold_counts()
    {
        using var folder = new TemporaryFolder();
        Train(folder.Path, new());
        var filter = new ClassifierFilter { Model = folder["model.bin"], KeepLabels = [new() { Label = "hq" }] };
        var work = new WorkingDocument(new Document("1", "theorem"));
        filter.Apply(work);
        double score = work.Document.Metadata["__label__hq"]!.GetValue<double>();
        ClassifierFilter Keep(double t) => filter with { KeepLabels = [new() { Label = "hq", Threshold = t }] };
        ClassifierFilter Remove(double t) =>
            filter with { KeepLabels = [], RemoveLabels = [new() { Label = "hq", Threshold = t }] };
        Assert.Null(Keep(score).Reject(work.Document));
        Assert.NotNull(Keep(Math.BitIncrement(score)).Reject(work.Document));
        Assert.NotNull(Remove(score).Reject(work.Document));
        Assert.Null(Remove(Math.BitIncrement(score)).Reject(work.Document));
    }

    [Fact]
    public void Too_little_is_refused()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<InvalidDataException>(() => new QualityClassifierTraining().Run(["a"], ["b"], folder.Path));
        Assert.Throws<ArgumentException>(() => new QualityClassifierTraining { HeldOutShare = 0 }.Run([], [], folder.Path));
        File.WriteAllText(folder["classifier.json"], """{ "model": "../x" }""");
        Assert.Throws<InvalidDataException>(() => new ClassifierFilter { Model = folder.Path }.Reject(new Document("1", "a")));
    }

    [Fact]
    public void A_threshold_is_the_lowest_that_does()
    {
        var choice = new ThresholdChoice([0.1, 0.6, 0.8, 0.9], [0.1, 0.2, 0.3, 0.7]);
        Assert.Equal(new(0.6, 0.75, 0.75, 0.25), choice.ForPrecision(0.75));
        Assert.Equal(new(0.8, 1, 0.5, 0), choice.ForPrecision(1));
        Assert.Equal(0.25, choice.ForKeepRate(0.25).KeepRate);
        Assert.Equal(0.75, choice.ForKeepRate(0.25).Recall);
        Assert.Equal(0, choice.ForKeepRate(0.1).KeepRate);
        Assert.Throws<InvalidDataException>(() => new ThresholdChoice([0.1], [0.2]).ForPrecision(0.9));
    }

    private static QualityClassifierReport Train(string folder, QualityClassifierTraining settings, bool reverse = false)
    {
        settings = settings with
        {
            Training = settings.Training with { Dimension = 8, Bucket = 1000, Epochs = 10, LearningRate = 0.5 },
        };
        var (good, random) = (Texts(s_good, 400, 1), Texts(s_bad, 500, 2).Concat(Texts(s_good, 20, 3)));
        return settings.Run(reverse ? good.Reverse() : good, reverse ? random.Reverse() : random, folder);
    }

    private static IEnumerable<string> Texts(string[] words, int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => string.Join(' ', Enumerable.Range(0, random.Next(8, 20)).Select(
            _ => random.Next(2) == 0 ? words[random.Next(words.Length)] : s_common[random.Next(s_common.Length)])))];
    }

    private static string Rewritten(ClassifierFilter filter, string text)
    {
        var work = new WorkingDocument(new Document("1", text));
        filter.Apply(work);
        Assert.Null(work.Reason);
        return work.Text;
    }
}
