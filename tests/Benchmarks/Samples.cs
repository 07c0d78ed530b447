namespace Decant.Benchmarks;

/// <summary>Repeated measurements of one thing, in seconds.</summary>
internal sealed class Samples
{
    private readonly List<double> values = [];

    public double Median => values.Order().ElementAt(values.Count / 2);

    public double Min => values.Min();

    public double Max => values.Max();

    public void Add(TimeSpan time) => values.Add(time.TotalSeconds);

    public void Add(double value) => values.Add(value);

    public override string ToString() => $"{Median:0.000} s (median of {values.Count}, {Min:0.000} to {Max:0.000})";
}
