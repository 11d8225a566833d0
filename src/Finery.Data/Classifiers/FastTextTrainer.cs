using System.Globalization;

namespace Finery.Data.Classifiers;

/// <summary>
/// Trains a classifier in fastText's way: averaged vectors, stochastic gradient descent with a step size that falls linearly. Give it
/// examples, then call <see cref="Train"/>, then <see cref="Quantise"/> for a small file. It holds its examples in memory, four bytes
/// a token and each different token once.
/// </summary>
public sealed class FastTextTrainer
{
    private readonly FastTextTrainingSettings _settings;
    private readonly TrainingExamples _examples;

    /// <summary>One without examples.</summary>
    /// <exception cref="ArgumentException">The settings cannot work.</exception>
    public FastTextTrainer(FastTextTrainingSettings settings)
    {
        foreach (var (property, message) in settings.Validate())
            throw new ArgumentException($"{property} {message}.", nameof(settings));
        (_settings, _examples) = (settings, new(settings.LabelPrefix));
    }

    /// <summary>Examples so far.</summary>
    public int ExampleCount => _examples.Count;

    /// <summary>Is told the share of the training that is done, now and then.</summary>
    public Action<double>? Progress { get; init; }

    /// <summary>Adds an example of one label.</summary>
    /// <param name="label">With or without the prefix of labels.</param>
    /// <param name="text">White space separates words; a word that starts like a label is left out.</param>
    public void Add(string label, ReadOnlySpan<char> text) => _examples.Add(
        label.StartsWith(_settings.LabelPrefix, StringComparison.Ordinal) ? label : _settings.LabelPrefix + label, text);

    /// <summary>Adds an example in fastText's form: a line that holds its labels among its words.</summary>
    public void AddLine(ReadOnlySpan<char> line) => _examples.AddLine(line);

    /// <summary>Adds every line of a UTF-8 file in that form.</summary>
    public void AddFile(string path)
    {
        foreach (var line in File.ReadLines(path))
            _examples.AddLine(line);
    }

    /// <summary>Trains on the examples.</summary>
    /// <exception cref="InvalidDataException">They hold no label or no word that is frequent enough, or the pretrained vectors do not
    /// fit.</exception>
    /// <exception cref="ArithmeticException">The vectors grew without bound: the learning rate is too high.</exception>
    public FastTextModel Train(CancellationToken cancellationToken = default)
    {
        var arguments = _settings.ToArguments();
        var vectors = _settings.PretrainedVectors is { } path ? ReadVectors(path) : [];
        var dictionary = _examples.MakeDictionary(
            arguments, _settings.MinCount, _settings.MinCountLabel, _settings.HasLineEnd, vectors.Keys);
        if (dictionary.LabelCount == 0)
            throw new InvalidDataException(
                $"The {_examples.Count} examples hold no label ('{_settings.LabelPrefix}...') that occurs {_settings.MinCountLabel} times.");
        if (dictionary.WordCount == 0)
            throw new InvalidDataException($"The {_examples.Count} examples hold no word that occurs {_settings.MinCount} times.");
        var rows = dictionary.WordCount + (long)arguments.Bucket;
        if (rows * arguments.Dimension > Array.MaxLength)
            throw new InvalidDataException(
                $"{rows} words and buckets of {arguments.Dimension} components are more than one array holds: take fewer buckets.");
        var input = InitialVectors(dictionary, (int)rows, vectors);
        var output = new float[dictionary.LabelCount * arguments.Dimension];
        Descend(arguments, dictionary, input, output, _settings.Epochs, _settings.LearningRate, cancellationToken);
        return new(
            arguments, dictionary, new(rows, arguments.Dimension, input), new(dictionary.LabelCount, arguments.Dimension, output));
    }

    /// <summary>Makes a model small: keeps the longest vectors, goes over the examples again with those, and quantises them.</summary>
    /// <param name="model">One that is not quantised, trained by this trainer if it is to be trained again.</param>
    /// <param name="settings">What is kept and how.</param>
    /// <param name="cancellationToken">Stops the passes.</param>
    /// <exception cref="ArgumentException">The model is quantised already.</exception>
    /// <exception cref="InvalidDataException">A matrix has fewer than 256 rows.</exception>
    public FastTextModel Quantise(
        FastTextModel model, FastTextQuantisationSettings settings, CancellationToken cancellationToken = default)
    {
        if (model.Input.Values is not { } input || model.Output.Values is not { } output)
            throw new ArgumentException("The model is quantised already.", nameof(model));
        var (arguments, dictionary) = (model.Arguments, model.Dictionary);
        if (settings.Cutoff > 0 && settings.Cutoff < model.Input.Rows)
        {
            (dictionary, input) = Quantisation.Prune(model, settings.Cutoff);
            output = [.. output];
            if (settings.RetrainEpochs > 0)
                Descend(
                    arguments, dictionary, input, output, settings.RetrainEpochs, settings.RetrainLearningRate, cancellationToken);
        }
        var quantisedOutput = settings.QuantiseOutput
            ? Quantisation.Quantise(output, arguments.Dimension, 2, settings.QuantiseNorms, settings.Seed)
            : new ModelMatrix(dictionary.LabelCount, arguments.Dimension, output);
        return new(
            arguments, dictionary,
            Quantisation.Quantise(input, arguments.Dimension, settings.PartSize, settings.QuantiseNorms, settings.Seed), quantisedOutput);
    }

    private void Descend(
        ModelArguments arguments, ModelDictionary dictionary, float[] input, float[] output, int epochs, double rate,
        CancellationToken cancellationToken)
    {
        var tokens = new TokenRows(_examples, dictionary);
        var shared = new LabelSampling(arguments.Loss, dictionary.LabelCounts);
        var total = epochs * _examples.TokenCount;
        long done = 0;
        void Work(int thread)
        {
            var step = new GradientStep(arguments, input, output, shared, (ulong)(uint)_settings.Seed << 32 | (uint)thread);
            RowList rows = new(), labels = new(), hashes = new();
            var example = (int)((long)thread * _examples.Count / _settings.Threads);
            var read = 0L;
            while (Volatile.Read(ref done) < total)
            {
                var share = (float)Volatile.Read(ref done) / total;
                read += tokens.Collect(example, rows, labels, hashes);
                step.Learn(rows.Span, labels.Span, (float)(rate * (1.0 - share)));
                example = example + 1 == _examples.Count ? 0 : example + 1;
                if (read <= _settings.LearningRateUpdateRate)
                    continue;
                cancellationToken.ThrowIfCancellationRequested();
                Interlocked.Add(ref done, read);
                read = 0;
                if (thread == 0)
                    Progress?.Invoke(share);
            }
        }
        if (_settings.Threads == 1)
            Work(0);
        else
            RunThreads(Work);
        if (!Array.TrueForAll(output, float.IsFinite) || !Array.TrueForAll(input, float.IsFinite))
            throw new ArithmeticException($"The vectors grew without bound: a learning rate of {rate} is too high.");
    }

    private void RunThreads(Action<int> work)
    {
        var tasks = new Task[_settings.Threads];
        for (var i = 0; i < tasks.Length; i++)
        {
            var thread = i;
            tasks[i] = Task.Factory.StartNew(
                () => work(thread), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        Task.WhenAll(tasks).GetAwaiter().GetResult();
    }

    // Words start at random within 1/dimension of zero. Buckets start at zero: those that training never meets add nothing to a text.
    private float[] InitialVectors(ModelDictionary dictionary, int rows, Dictionary<string, float[]> vectors)
    {
        var dimension = _settings.Dimension;
        var input = new float[rows * dimension];
        var random = new SplitMix64((ulong)(uint)_settings.Seed);
        foreach (ref var value in input.AsSpan(0, dictionary.WordCount * dimension))
            value = (2 * random.NextSingle() - 1) / dimension;
        foreach (var (word, vector) in vectors)
        {
            var bytes = System.Text.Encoding.UTF8.GetBytes(word);
            var id = dictionary.Find(bytes, TokenScanner.HashOf(bytes));
            if (id >= 0 && id < dictionary.WordCount)
                vector.CopyTo(input.AsSpan(id * dimension));
        }
        return input;
    }

    private Dictionary<string, float[]> ReadVectors(string path)
    {
        var vectors = new Dictionary<string, float[]>(StringComparer.Ordinal);
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (number++ == 0 && parts.Length == 2)
                continue;
            var vector = new float[_settings.Dimension];
            if (parts.Length != vector.Length + 1)
                throw new InvalidDataException($"'{path}' line {number} holds {parts.Length - 1} numbers, not {vector.Length}.");
            for (var i = 0; i < vector.Length; i++)
                if (!float.TryParse(parts[i + 1], NumberStyles.Float, CultureInfo.InvariantCulture, out vector[i])
                    || !float.IsFinite(vector[i]))
                    throw new InvalidDataException($"'{path}' line {number}: '{parts[i + 1]}' is no finite number.");
            vectors[parts[0]] = vector;
        }
        return vectors;
    }
}
