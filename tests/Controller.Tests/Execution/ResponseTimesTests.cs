using Decant.Controller.Execution;
using Decant.Controller.Fleet;

namespace Decant.Controller.Tests.Execution;

/// <summary>What a canary's answers took, out of a moving average that began with the old release's.</summary>
public class ResponseTimesTests
{
    [Test]
    public void The_answers_since_a_look_are_told_from_those_before_it(
        [Values(0, 1, 100, 256, 512, 600, 50_000)] int before,
        [Values(200, 400, 5_000)] int since,
        [Values(256, 512)] int window)
    {
        var average = new Average(window);
        for (var i = 0; i < before; i++) average.Add(10);
        var look = average.Seen;
        for (var i = 0; i < since; i++) average.Add(30);

        Assert.That(ResponseTimes.Since(look, average.Seen), Is.EqualTo(30).Within(0.001));
    }

    [Test]
    public void A_few_answers_after_many_say_nothing()
    {
        var average = new Average(512);
        for (var i = 0; i < 10_000; i++) average.Add(10);
        var look = average.Seen;
        for (var i = 0; i < 100; i++) average.Add(300);

        Assert.That(ResponseTimes.Since(look, average.Seen), Is.Null);
    }

    [Test]
    public void An_average_of_an_unknown_window_or_of_a_new_member_is_taken_as_it_is()
    {
        var now = new ObservedMember(MemberStanding.Ready, Answers: 500, ResponseTimeMs: 12);

        Assert.That(ResponseTimes.Since(new ObservedMember(MemberStanding.Ready, Answers: 400, ResponseTimeMs: 90), now), Is.EqualTo(12));
        Assert.That(ResponseTimes.Since(null, now with { ResponseTimeWindow = 512 }), Is.EqualTo(12));
    }

    [Test]
    public void What_nobody_measured_is_not_judged()
        => Assert.That(ResponseTimes.Since(null, new ObservedMember(MemberStanding.Ready, Answers: 500)), Is.Null);

    private sealed class Average(int window)
    {
        private long answers;
        private double milliseconds;

        public ObservedMember Seen => new(MemberStanding.Ready, Answers: answers, ResponseTimeMs: milliseconds, ResponseTimeWindow: window);

        public void Add(double took) => milliseconds += (took - milliseconds) / Math.Min(++answers, window);
    }
}
