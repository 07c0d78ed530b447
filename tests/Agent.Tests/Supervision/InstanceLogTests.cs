using CsCheck;
using Decant.Agent.Supervision;
using Decant.Agent.Tests.Balancers;

namespace Decant.Agent.Tests.Supervision;

[Parallelizable(ParallelScope.Self)]
public class InstanceLogTests
{
    private TemporaryDirectory directory = null!;

    [SetUp]
    public void Make() => directory = new TemporaryDirectory();

    [TearDown]
    public void Delete() => directory.Dispose();

    [Test]
    public void The_last_lines_are_those_that_were_written_last_whatever_the_size_of_lines_and_segments()
    {
        var round = 0;
        Gen.Select(Gen.String[Gen.Char['a', 'z'], 0, 200].Array[0, 60], Gen.Int[1, 4000], Gen.Int[0, 70], Gen.Int[1, 9]).Sample(
            (texts, segmentBytes, count, batch) =>
            {
                var path = Directory.CreateDirectory(directory[$"{Interlocked.Increment(ref round)}"]).FullName;
                Write(path, texts, segmentBytes, segments: 1000, batch);

                return new InstanceLog(path).LastLines(count).Select(l => l.Text).SequenceEqual(texts.TakeLast(count))
                    && LogSegments.NextLine(path) == texts.Length;
            },
            iter: 60);
    }

    [Test]
    public void Old_segments_are_deleted_and_the_rest_is_whole()
    {
        Write(directory.Path, Lines(0, 1000), segmentBytes: 1000, segments: 3, batch: 1);

        var segments = LogSegments.In(directory.Path);
        var left = new InstanceLog(directory.Path).LastLines(5000);

        Assert.Multiple(() =>
        {
            Assert.That(segments, Has.Count.EqualTo(3));
            Assert.That(segments.Select(s => new FileInfo(s.Path).Length), Is.All.LessThan(1100));
            Assert.That(left.Select(l => l.Text), Is.EqualTo(Lines((int)segments[0].FirstLine, 1000 - (int)segments[0].FirstLine)));
            Assert.That(File.GetUnixFileMode(segments[0].Path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
        });
    }

    [Test]
    public void A_later_writer_goes_on_where_the_one_before_it_ended()
    {
        Write(directory.Path, Lines(0, 10), segmentBytes: 1 << 20, segments: 5, batch: 3);
        Write(directory.Path, Lines(10, 10), segmentBytes: 1 << 20, segments: 5, batch: 3);

        Assert.That(new InstanceLog(directory.Path).LastLines(100).Select(l => l.Text), Is.EqualTo(Lines(0, 20)));
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task A_follower_gets_the_last_lines_and_then_each_that_comes_across_segments(CancellationToken cancellation)
    {
        using var writer = new LogWriter(directory.Path, 2000, 1000, TimeProvider.System);
        writer.Write(Lines(0, 100), isError: false);
        var got = new List<string>();
        await using var following = new InstanceLog(directory.Path).FollowAsync(10, cancellation).GetAsyncEnumerator(cancellation);

        for (var i = 0; i < 200; i++)
        {
            // One by one: each must wake the follower by itself.
            if (i >= 10) writer.Write([$"line {i + 90}"], isError: true);
            Assert.That(await following.MoveNextAsync(), Is.True);
            Assert.That(following.Current.Lost, Is.Zero);
            got.Add(following.Current.Line.Text);
        }

        Assert.Multiple(() =>
        {
            Assert.That(got, Is.EqualTo(Lines(90, 200)));
            Assert.That(following.Current.Line.IsError, Is.True);
            Assert.That(LogSegments.In(directory.Path), Has.Count.GreaterThan(3));
        });
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task A_follower_who_is_slower_than_the_deletion_of_old_segments_is_told_how_many_lines_it_lost(CancellationToken cancellation)
    {
        using var writer = new LogWriter(directory.Path, 1000, 2, TimeProvider.System);
        writer.Write(Lines(0, 1), isError: false);
        await using var following = new InstanceLog(directory.Path).FollowAsync(10, cancellation).GetAsyncEnumerator(cancellation);
        await following.MoveNextAsync();
        for (var i = 1; i < 2000; i++) writer.Write([$"line {i}"], isError: false);

        var lost = 0L;
        var got = 1;
        do
        {
            Assert.That(await following.MoveNextAsync(), Is.True);
            lost += following.Current.Lost;
            got++;
            Assert.That(following.Current.Line.Text, Is.EqualTo($"line {lost + got - 1}"), "what is lost and what is got add up");
        }
        while (following.Current.Line.Text != "line 1999");

        Assert.That(lost, Is.GreaterThan(1900));
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task Lines_that_were_deleted_before_a_follower_came_are_none_that_it_lost(CancellationToken cancellation)
    {
        Write(directory.Path, Lines(0, 1000), segmentBytes: 1000, segments: 2, batch: 1);
        await using var following = new InstanceLog(directory.Path).FollowAsync(900, cancellation).GetAsyncEnumerator(cancellation);

        await following.MoveNextAsync();

        Assert.That((following.Current.Lost, following.Current.Line.Text), Is.EqualTo((0L, $"line {LogSegments.OldestLine(directory.Path)}")));
    }

    [Test]
    [CancelAfter(30_000)]
    public async Task A_follower_of_a_slot_that_never_printed_anything_waits_for_the_first_line(CancellationToken cancellation)
    {
        await using var following = new InstanceLog(directory.Path).FollowAsync(10, cancellation).GetAsyncEnumerator(cancellation);
        var first = following.MoveNextAsync().AsTask();
        Write(directory.Path, Lines(0, 1), segmentBytes: 1000, segments: 2, batch: 1);

        await Eventually.TrueAsync(() => first.IsCompleted, "the first line");
        Assert.That(following.Current.Line.Text, Is.EqualTo("line 0"));
    }

    [Test]
    public void A_line_is_read_as_it_was_written()
        => Gen.Select(Gen.DateTime, Gen.Bool, Gen.String[Gen.Char[' ', '~'], 0, 50]).Sample((at, isError, text) =>
        {
            var line = new LoggedLine(new DateTimeOffset(DateTime.SpecifyKind(at, DateTimeKind.Utc)), isError, text);
            var written = new System.Text.StringBuilder();
            line.WriteTo(written);
            return LoggedLine.Parse(written.ToString().TrimEnd('\n')) == line;
        });

    [TestCase("")]
    [TestCase("half a li")]
    [TestCase("2026-11-24T13:00:00.12345XXZ o text of a damaged line")]
    public void A_damaged_line_is_its_text(string line)
        => Assert.That(LoggedLine.Parse(line), Is.EqualTo(new LoggedLine(DateTimeOffset.UnixEpoch, IsError: false, line)));

    private static string[] Lines(int first, int count) => [.. Enumerable.Range(first, count).Select(i => $"line {i}")];

    private static void Write(string path, string[] texts, long segmentBytes, int segments, int batch)
    {
        using var writer = new LogWriter(path, segmentBytes, segments, TimeProvider.System);
        foreach (var chunk in texts.Chunk(batch)) writer.Write(chunk, isError: false);
    }
}
