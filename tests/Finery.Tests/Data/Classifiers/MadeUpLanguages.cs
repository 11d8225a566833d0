using Finery.Data.Classifiers;

namespace Finery.Tests.Data.Classifiers;

/// <summary>Texts of made-up languages, each with syllables of its own: easy to tell apart, and the same in every run.</summary>
internal static class MadeUpLanguages
{
    private static readonly string[] Letters = ["bdgaeo", "ptkiuy", "mnläöü", "вдгаео", "かきくけこ", "rszxqw"];

    public static IEnumerable<(string Label, string Text)> Texts(int count, int languages = 4, int seed = 1)
    {
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            int language = random.Next(languages);
            string letters = Letters[language % Letters.Length];
            string Word() => string.Concat(Enumerable.Range(0, random.Next(2, 7)).Select(_ => letters[random.Next(letters.Length)]))
                + (language >= Letters.Length ? language.ToString() : "");
            yield return ($"l{language}", string.Join(' ', Enumerable.Range(0, random.Next(3, 12)).Select(_ => Word())));
        }
    }

    public static FastTextTrainer Trainer(FastTextTrainingSettings settings, int count = 400, int languages = 4)
    {
        var trainer = new FastTextTrainer(settings);
        foreach (var (label, text) in Texts(count, languages)) trainer.Add(label, text);
        return trainer;
    }

    public static FastTextTrainingSettings Small(FastTextLoss loss = FastTextLoss.Softmax) => new()
    {
        Loss = loss, Dimension = 10, Epochs = 10, LearningRate = 0.5, Bucket = 1000, MinN = 2, MaxN = 3, WordNgrams = 2,
    };

    public static double Precision(FastTextModel model, int languages = 4) => Texts(300, languages, seed: 2)
        .Average(text => model.Predict(text.Text) is [{ } best, ..] && best.Label == "__label__" + text.Label ? 1.0 : 0);

    public static byte[] Bytes(FastTextModel model)
    {
        var stream = new MemoryStream();
        model.Save(stream);
        return stream.ToArray();
    }

    public static FastTextModel Load(byte[] bytes) => FastTextModel.Load(new MemoryStream(bytes), "model");
}
